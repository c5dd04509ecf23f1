/** Where the values behind `${{ secrets.NAME }}` come from: environment, file or command, as the configuration says. */
export interface SecretSource {
  /**
   * The present value of a declared secret. It is stored nowhere and masked wherever output is kept.
   * @throws secret-missing
   */
  read(name: string, signal?: AbortSignal): Promise<string>
}
