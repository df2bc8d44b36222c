/** End of a list, and no slot. */
export const none = -1
