import { describe, expect, test } from 'vitest'
import { languageOfName, languageOfShebang } from './languages.ts'

describe('languageOfName', () => {
  test.each([
    ['a.ts', 'TypeScript'],
    ['a.d.mts', 'TypeScript'],
    ['A.JAVA', 'Java'],
    ['x.h', 'C'],
    ['x.hpp', 'C++'],
    ['Makefile', 'Make'],
    ['CMakeLists.txt', 'CMake'],
    ['Dockerfile', 'Dockerfile'],
    ['Dockerfile.prod', 'Dockerfile'],
    ['.env.production', 'Environment'],
    ['config.yaml.example', 'YAML'],
    ['Gemfile', 'Ruby'],
    ['README', 'Text'],
    ['git.1', 'Manual page'],
    ['script.R', 'R'],
    ['go.mod', 'Go module'],
    ['x.tar.gz', undefined],
    ['noextension', undefined],
    ['.hidden', undefined],
  ])('%s is %s', (name, language) => {
    expect(languageOfName(name)?.name).toBe(language)
  })

  test('names of object members are no languages', () => {
    for (const name of ['constructor', '__proto__', 'a.constructor', 'toString'])
      expect(languageOfName(name)).toBeNull()
  })
})

describe('languageOfShebang', () => {
  test.each([
    ['#!/bin/sh', 'Shell'],
    ['#!/usr/bin/env python3.12', 'Python'],
    ['#! /usr/bin/env -S node --flag', 'JavaScript'],
    ['#!/usr/bin/env VAR=1 ruby -w', 'Ruby'],
    ['#!/usr/bin/perl -w', 'Perl'],
    ['#!/unknown/thing', undefined],
    ['# a comment', undefined],
    ['#!', undefined],
    ['#!/usr/bin/env', undefined],
  ])('%s asks for %s', (line, language) => {
    expect(languageOfShebang(line)?.name).toBe(language)
  })
})
