// Reads vitest's JSON report. The last line it prints is `N passed, N failed, N skipped`.
// Fails when a test failed, when a file could not run, when nothing passed, or when no S3 test of the contract suite ran.
import { readFileSync } from 'node:fs';

const problems = [];
const tally = { passed: 0, failed: 0, skipped: 0 };

function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    problems.push(`vitest left no report (${error.message})`);
    return { testResults: [] };
  }
}

const report = read(process.argv[2]);
let s3 = 0;
for (const file of report.testResults) {
  if (file.status === 'failed' && file.assertionResults.length === 0) {
    tally.failed += 1;
    problems.push(`${file.name} could not run: ${file.message}`);
  }
  for (const test of file.assertionResults) {
    if (test.status === 'passed') tally.passed += 1;
    else if (test.status === 'failed') tally.failed += 1;
    else tally.skipped += 1;
    if (test.status === 'passed' && /[\\/]test[\\/]contract[\\/]/.test(file.name) && /\bs3\b/i.test(test.fullName))
      s3 += 1;
  }
}
if (tally.failed > 0) problems.push(`${tally.failed} tests failed`);
if (tally.passed === 0) problems.push('no test passed');
if (s3 === 0) problems.push('no S3 test of test/contract ran');
if (report.success === false && tally.failed === 0) problems.push('vitest reports failure outside of tests');

for (const problem of problems) process.stdout.write(`${problem}\n`);
process.stdout.write(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
