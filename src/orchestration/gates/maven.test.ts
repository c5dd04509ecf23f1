import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { afterEach, expect } from 'vitest'
import { testWhen } from '../../../test/support/when.ts'
import { rawGit } from '../../foundation/platform/git/git.fixture.ts'
import { check, type GateKit, openGateKit } from './gate-kit.fixture.ts'

const repository = '/usr/share/maven-repo'
const packages = [
  ...['maven', 'default-jdk-headless', 'libmaven-compiler-plugin-java', 'libmaven-resources-plugin-java'],
  ...['libsurefire-java', 'libmaven-jar-plugin-java', 'libmaven-antrun-plugin-java', 'junit4', 'libjacoco-java'],
]
const plugins = ['compiler', 'resources', 'surefire', 'jar', 'antrun'].map(
  (name) => `org/apache/maven/plugins/maven-${name}-plugin`,
)
const parts = [...plugins, 'junit/junit', 'org/jacoco/org.jacoco.ant'].map((name) => `${repository}/${name}`)

/** Maven with what Debian has of its plugins, so that it needs no network. Under CI, root installs what is missing. */
function hasMaven(): boolean {
  const isThere = () =>
    ['mvn', 'javac'].every((name) => spawnSync(name, ['-version'], { stdio: 'ignore' }).status === 0) &&
    parts.every((part) => existsSync(part))
  if (isThere()) return true
  if (process.platform !== 'linux' || !process.env.CI || process.getuid?.() !== 0) return false
  spawnSync('apt-get', ['install', '-y', '--no-install-recommends', ...packages], { stdio: 'ignore', timeout: 240_000 })
  return isThere()
}

const head = '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
const java = '/usr/share/java'
const antrun = (id: string, phase: string, target: string) => `<execution><id>${id}</id><phase>${phase}</phase>
  <goals><goal>run</goal></goals><configuration><target>${target}</target></configuration></execution>`
const jacocoJars = ['org.jacoco.ant', 'org.jacoco.core', 'org.jacoco.report', 'asm', 'asm-commons', 'asm-tree']
/** JaCoCo without its plugin, which Debian has not: its agent in the tests, and the report by its task for Ant. */
const jacoco = `<build><plugins><plugin><artifactId>maven-antrun-plugin</artifactId><executions>
  ${antrun('agent', 'initialize', `<unzip src="${java}/org.jacoco.agent.jar" dest="target/jacoco"/>`)}
  ${antrun(
    'report',
    'verify',
    `<mkdir dir="target/site/jacoco"/>
    <taskdef name="report" classname="org.jacoco.ant.ReportTask"
      classpath="${[...jacocoJars, 'asm-analysis'].map((jar) => `${java}/${jar}.jar`).join(':')}"/>
    <report>
      <executiondata><file file="target/jacoco.exec"/></executiondata>
      <structure name="core"><classfiles><fileset dir="target/classes"/></classfiles></structure>
      <xml destfile="target/site/jacoco/jacoco.xml"/>
    </report>`,
  )}
</executions></plugin></plugins></build>`
const sum = (sign: string) => `package demo;
public final class Sum {
  public static int of(int a, int b) {
    return a ${sign} b;
  }
  public static int never() {
    return 0;
  }
}
`
const files = {
  '.gitignore': 'target/\n',
  '.mvn/maven.config': `-o\n-Dmaven.repo.local=${repository}\n`,
  'pom.xml': `${head}<groupId>demo</groupId><artifactId>parent</artifactId><version>1</version><packaging>pom</packaging>
<modules><module>core</module></modules>
<properties><maven.compiler.source>11</maven.compiler.source><maven.compiler.target>11</maven.compiler.target>
<project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
<argLine>-javaagent:\${project.basedir}/target/jacoco/jacocoagent.jar=destfile=target/jacoco.exec</argLine></properties></project>`,
  'core/pom.xml': `${head}<parent><groupId>demo</groupId><artifactId>parent</artifactId><version>1</version></parent>
<artifactId>core</artifactId><dependencies><dependency><groupId>junit</groupId><artifactId>junit</artifactId>
<version>4.13.2</version><scope>test</scope></dependency></dependencies>${jacoco}</project>`,
  'core/src/main/java/demo/Sum.java': sum('+'),
  'core/src/test/java/demo/SumTest.java': `package demo;
import static org.junit.Assert.assertEquals;
import org.junit.Test;
public class SumTest { @Test public void adds() { assertEquals(3, Sum.of(1, 2)); } }
`,
}

let opened: GateKit | null = null
afterEach(async () => {
  expect(opened?.kit.errors ?? []).toEqual([])
  await opened?.kit.close()
})

testWhen(hasMaven(), `no Maven with its plugins is installed: apt-get install ${packages.join(' ')}`)(
  'a project of Maven with modules: its tests, what they cover, and that there are none',
  { timeout: 240_000 },
  async () => {
    opened = openGateKit(files)
    const { first, commitAs, gate } = opened
    const good = await gate(first, check('types'), check('tests'), check('coverage'), check('lint'))
    expect(good.checks).toMatchObject({
      types: { passed: true, facts: { commands: ['mvn -B -q test-compile'] } },
      tests: { passed: true, facts: { commands: ['mvn -B test'] } },
      // Of the lines of `Sum` those of `never` and of its constructor are not run.
      coverage: { passed: false, level: 'block', facts: { percent: 33.3 } },
      lint: { skipped: true },
    })
    expect(good.evidence('tests')).toMatch(/Tests run: 1, Failures: 0, .* in demo\.SumTest/)

    const bad = await gate(commitAs({ 'core/src/main/java/demo/Sum.java': sum('-') }), check('tests'))
    expect(bad.checks.tests).toMatchObject({ passed: false, level: 'block', summary: 'mvn -B test: exit code 1' })
    expect(bad.evidence('tests')).toContain('expected:<3> but was:<-1>')
    expect(bad.verdict.verdict).toBe('block')

    const broken = commitAs({ 'core/src/main/java/demo/Sum.java': sum('+').replace('int b', 'int c') })
    const types = await gate(broken, check('types'))
    expect(types.checks.types).toMatchObject({ passed: false, level: 'block' })
    expect(types.evidence('types')).toContain('cannot find symbol')

    rawGit(opened.repository, 'rm', '--quiet', '-r', 'core/src/test')
    const untested = await gate(commitAs({ 'core/src/main/java/demo/Sum.java': sum('+') }), check('tests'))
    expect(untested.checks.tests).toMatchObject({ level: 'review', summary: 'mvn -B test: no tests ran' })
  },
)
