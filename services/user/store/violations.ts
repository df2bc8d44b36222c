/** Name of the unique constraint that a write ran into, if that is why it failed. */
export function violatedConstraint(error: unknown): string | undefined {
  const fault = error as { code?: string; constraint?: string }
  return fault.code === '23505' ? fault.constraint : undefined
}
