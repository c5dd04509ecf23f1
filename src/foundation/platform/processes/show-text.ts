const keptControls = new Set(['\n', '\t'])

/**
 * Makes text from commands safe to show: control characters, and the marks that turn the direction of text, become
 * visible escapes, so that output cannot steer a terminal or disguise itself.
 */
export function showText(text: string): string {
  return text.replaceAll(/[\p{Cc}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]/gu, (character) =>
    keptControls.has(character) ? character : escapeOf(character.charCodeAt(0)),
  )
}

function escapeOf(code: number): string {
  return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
}
