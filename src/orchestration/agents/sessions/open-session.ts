/** Opens a session that was made; one that cannot be opened leaves nothing behind. */
export async function openSession<S extends { open(): Promise<unknown>; stop(): Promise<unknown> }>(
  session: S,
): Promise<S> {
  try {
    await session.open()
    return session
  } catch (error) {
    await session.stop()
    throw error
  }
}
