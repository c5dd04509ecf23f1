import fc from 'fast-check'
import { expect, test } from 'vitest'
import { escapeXml, readXml } from './s3-xml.ts'

test('any text survives being put into an element and read back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(readXml(`<A><Key>${escapeXml(text)}</Key><Key/></A>`, 'Key')).toEqual([text])
    }),
  )
})

test('reads elements with attributes, and leaves what it does not know', () => {
  expect(readXml('<a xmlns="x">1</a><b>2</b><a>&lt;&#x41;&#66;&unknown;&#9999999;</a>', 'a')).toEqual([
    '1',
    '<AB&unknown;&#9999999;',
  ])
  expect(readXml('<aa>1</aa>', 'a')).toEqual([])
})
