export * from './aggregate.ts'
export * from './candle.ts'
export * from './window.ts'
