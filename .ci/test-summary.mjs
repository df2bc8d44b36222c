// What the tests said, for the end of a log that may be all that anybody sees: the counts, and each failure with the beginning of its reason.
// `node .ci/test-summary.mjs FIRST [AGAIN]`: AGAIN is the run of the failed files by themselves, where there was one.
// `node .ci/test-summary.mjs --failed FIRST`: only the paths of the files that failed.
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'

const REASON_LINES = 8
const SHOWN = 10

const read = (path) => {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

const pathOf = (file) => relative(process.cwd(), file.name)

/** One entry a failed test, and one for a file that failed outside of its tests. */
const failures = (report) =>
  report.testResults
    .filter((file) => file.status === 'failed')
    .flatMap((file) => {
      const failed = file.assertionResults.filter((test) => test.status === 'failed')
      if (failed.length === 0) return [{ name: pathOf(file), reason: file.message ?? '' }]
      return failed.map((test) => ({ name: `${pathOf(file)} > ${test.fullName}`, reason: test.failureMessages.join('\n') }))
    })

const [first, second] = process.argv.slice(2)
if (first === '--failed') {
  const report = read(second)
  for (const file of report?.testResults ?? []) if (file.status === 'failed') console.log(pathOf(file))
} else {
  const report = read(first)
  if (report === undefined) {
    console.log('0 passed, 0 failed, 0 skipped (the tests did not run)')
  } else {
    const again = second === undefined ? undefined : read(second)
    const still = again === undefined ? undefined : new Set(failures(again).map((failure) => failure.name))
    const failed = failures(report)
    let recovered = 0
    for (const [index, { name, reason }] of failed.entries()) {
      // A whole file that could not run again counts as failed still: its tests have other names then.
      const passedAlone = still !== undefined && again.success && !still.has(name)
      if (passedAlone) recovered += 1
      if (index < SHOWN) {
        console.log(`${passedAlone ? 'FAILED ONCE, passed by itself' : 'FAILED'}  ${name}`)
        for (const line of reason.split('\n').slice(0, REASON_LINES)) console.log(`    ${line}`)
      }
    }
    if (failed.length > SHOWN) console.log(`and ${failed.length - SHOWN} more`)
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = report
    const shift = Math.min(recovered, numFailedTests)
    console.log(`${numPassedTests + shift} passed, ${numFailedTests - shift} failed, ${numPendingTests + numTodoTests} skipped`)
  }
}
