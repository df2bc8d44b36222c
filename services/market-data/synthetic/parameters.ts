/**
 * Figures of the synthetic market. They were printed by fit.ts from recorded Binance spot data: 1-minute candles of 2023-03-16 to
 * 2023-05-01 (DOT from 2023-04-01), every BTC/USDT trade and every change of its best bid and ask of 2024-08-08 23:54 to 2024-08-09 00:05 UTC.
 */
export interface ReturnParameters {
  /** Root mean square of the 1-minute log return. */
  readonly sigma: number
  readonly logVolatilityVariance: number
  /** Shares of that variance by memory (`volatilityPeriodsMinutes`); their sum is 1. */
  readonly volatilityWeights: readonly number[]
  /** Degrees of freedom of Student's t. */
  readonly tailDegrees: number
}

export interface MarketParameters {
  readonly symbol: string
  /** The last close of the recorded file, in units of 10^-8; the price moves around it. */
  readonly baseUnits: number
  readonly returns: ReturnParameters
  /** Mean volume × close of a minute, quote units. */
  readonly notionalPerMinute: number
  /** Volume of a minute grows as its volatility to this power. */
  readonly volumeElasticity: number
  /** Notional of its taker orders as a share of those of BTC/USDT. */
  readonly orderNotionalScale: number
  /** Variance of the log of the rate of trades that volatility does not explain. */
  readonly rateNoiseVariance: number
}

export const marketParameters: readonly MarketParameters[] = [
  {
    symbol: 'BTC/USDT',
    baseUnits: 2_775_363_000_000,
    returns: { sigma: 0.000682, logVolatilityVariance: 0.5, tailDegrees: 12.5, volatilityWeights: [0.26, 0.078, 0.26, 0.142, 0.26] },
    notionalPerMinute: 2_091_661,
    volumeElasticity: 1.2,
    orderNotionalScale: 1,
    rateNoiseVariance: 0.5,
  },
  {
    symbol: 'ETH/USDT',
    baseUnits: 181_300_000_000,
    returns: { sigma: 0.000734, logVolatilityVariance: 0.5, tailDegrees: 18.1, volatilityWeights: [0.325, 0.153, 0.165, 0.178, 0.179] },
    notionalPerMinute: 677_031,
    volumeElasticity: 1.05,
    orderNotionalScale: 0.4,
    rateNoiseVariance: 0.1,
  },
  {
    symbol: 'ADA/USDT',
    baseUnits: 38_290_000,
    returns: { sigma: 0.000978, logVolatilityVariance: 0.274, tailDegrees: 33, volatilityWeights: [0.281, 0.073, 0.281, 0.281, 0.084] },
    notionalPerMinute: 36_938,
    volumeElasticity: 1.25,
    orderNotionalScale: 0.04,
    rateNoiseVariance: 0.6,
  },
  {
    symbol: 'DOT/USDT',
    baseUnits: 562_500_000,
    returns: { sigma: 0.000772, logVolatilityVariance: 0.296, tailDegrees: 6.9, volatilityWeights: [0.227, 0.244, 0.413, 0.024, 0.092] },
    notionalPerMinute: 16_334,
    volumeElasticity: 1.12,
    orderNotionalScale: 0.03,
    rateNoiseVariance: 0.6,
  },
]

/**
 * Taker orders of the recorded BTC/USDT trades (trades of one millisecond and side are one order): their notional in quote units at these
 * quantiles, and its mean. Only BTC/USDT has recorded trades. The other markets have no recorded ones: their orders are taken to be a share of
 * these (`orderNotionalScale`), so chosen that the spread of their minute volumes comes near that of their files, and as many as make the volume.
 */
export const takerNotional = {
  steps: [0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1],
  quantiles: [0.616, 5.54, 5.56, 10.5, 15.4, 27.7, 67.8, 195, 424, 902, 2_000, 6_233, 15_854, 64_241, 268_976, 846_954],
  mean: 3_787,
} as const

export const takerBuyShare = 0.513

/** Of the time, the spread of BTC/USDT was one tick in this share; else it went up to about `wideTicksMax`. */
export const spread = { oneTickShare: 0.993, wideTicksMax: 1_000 } as const
