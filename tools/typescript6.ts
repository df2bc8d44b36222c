import { createRequire, registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'

/**
 * dependency-cruiser parses with the compiler's JavaScript interface, which TypeScript 7 does not have: with 7 alone it
 * reads no module and finds nothing at fault. Inside this process `typescript` therefore means version 6, which lies in
 * tools/node_modules; everywhere else it stays 7.
 */
const here = createRequire(import.meta.url)
const version6 = new Map(['typescript', 'typescript/package.json'].map((specifier) => [specifier, here.resolve(specifier)]))

registerHooks({
  resolve(specifier, context, next) {
    const file = version6.get(specifier)
    if (file === undefined) return next(specifier, context)
    // `require` takes a path, `import` a URL.
    return next(context.conditions.includes('import') ? pathToFileURL(file).href : file, context)
  },
})
