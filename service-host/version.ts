/** Of this release, as instances announce it. */
export const version = '0.3.0'
