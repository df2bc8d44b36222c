import { readSettings, setting, type Environment } from '@maru/service-host'

const shape = {
  /** Days in which every change of a balance and position, every fill and every minute's mark is kept; older ones are thinned to the hour. */
  MARU_ANALYTICS_DETAIL_DAYS: setting.integer({ min: 1, max: 3_650, fallback: 30 }),
  /** Days after which the thinned figures go too; curves and profits start no earlier. */
  MARU_ANALYTICS_HISTORY_DAYS: setting.integer({ min: 2, max: 36_500, fallback: 1_100 }),
}

export type AnalyticsConfig = ReturnType<typeof readAnalyticsConfig>

/** Settings of the analytics service. Throws SettingsError that names every fault. */
export function readAnalyticsConfig(environment: Environment) {
  const values = readSettings(environment, shape)
  return { detailDays: values.MARU_ANALYTICS_DETAIL_DAYS, historyDays: values.MARU_ANALYTICS_HISTORY_DAYS }
}
