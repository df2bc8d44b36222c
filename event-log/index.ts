export * from './port.ts'
export { installEventLog, type TopicRights } from './postgres/install.ts'
