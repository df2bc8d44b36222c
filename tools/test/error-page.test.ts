import { expect, test } from 'vitest'
import { errorCatalogue } from '../../contracts/errors.ts'
import { errorPage } from '../gates/error-page.ts'
import { renderErrorPage } from '../error-page.ts'
import { projectRoot } from '../run-tool.ts'

test('every code of the catalogue is on the page of errors, with its status and meaning', async () => {
  expect(await errorPage.inspect(projectRoot)).toEqual([])
})

test('the page holds a heading for each code and no other', () => {
  const headings = [...renderErrorPage().matchAll(/^## (.+)$/gm)].map(([, code]) => code)
  expect(headings).toEqual(Object.keys(errorCatalogue))
})
