/**
 * A secret from AWS Secrets Manager, as `${aws-secret:NAME}` or `${aws-secret:NAME#FIELD}` names it. Region and credentials are those of
 * the environment, as the AWS command line finds them.
 */
import type { SecretsManagerClientConfig } from '@aws-sdk/client-secrets-manager';

/** What came, or why nothing did. */
export type AwsSecret = { readonly value: string } | { readonly problem: string; readonly hint: string };

const CONNECT_MS = 10_000;
const ANSWER_MS = 20_000;

/**
 * @param name name or ARN
 * @param field member of the secret, where it is a JSON object
 */
export async function readAwsSecret(name: string, field: string | undefined): Promise<AwsSecret> {
  // Loaded only by pipelines that need it: it takes longer than reading the pipeline.
  const { GetSecretValueCommand, SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager');
  const requestHandler = { connectionTimeout: CONNECT_MS, requestTimeout: ANSWER_MS };
  const client = new SecretsManagerClient({ requestHandler } as SecretsManagerClientConfig);
  try {
    const { SecretString: text } = await client.send(new GetSecretValueCommand({ SecretId: name }));
    if (text === undefined) return wrong('is binary', 'Store the credential as text.');
    return field === undefined ? { value: text } : memberOf(text, field);
  } catch (error) {
    return failure(error);
  } finally {
    client.destroy();
  }
}

function memberOf(text: string, field: string): AwsSecret {
  const hint = `Store it as a JSON object with the text "${field}", or leave out #${field}.`;
  try {
    const value: unknown = JSON.parse(text);
    const member =
      typeof value === 'object' && value !== null && Object.hasOwn(value, field) ? value[field as never] : '';
    if (typeof member === 'string' && member !== '') return { value: member };
    return wrong(`has no text "${field}"`, hint);
  } catch {
    return wrong('is not JSON', hint);
  }
}

/** Says what to do of the SDK's errors; never quotes an answer, which might hold the secret. */
function failure(error: unknown): AwsSecret {
  const name = error instanceof Error ? error.name : 'unknown error';
  switch (name) {
    case 'ResourceNotFoundException':
      return wrong('does not exist in this region and account', 'Check the name and AWS_REGION.');
    case 'AccessDeniedException':
      return wrong('may not be read', 'Allow secretsmanager:GetSecretValue on it (and kms:Decrypt on its key).');
    case 'CredentialsProviderError':
      return wrong(
        'cannot be asked for: no AWS credentials were found',
        'Set up credentials as for the AWS command line.',
      );
    case 'UnrecognizedClientException':
    case 'InvalidSignatureException':
    case 'ExpiredTokenException':
      return wrong(`cannot be asked for: AWS does not take the credentials (${name})`, 'Renew them.');
    default: {
      const region = error instanceof Error && /region is missing/i.test(error.message);
      return region
        ? wrong('cannot be asked for: no region is set', 'Set AWS_REGION.')
        : wrong(`cannot be read (${name})`, 'Check network, region and proxy, then run again.');
    }
  }
}

function wrong(problem: string, hint: string): AwsSecret {
  return { problem, hint };
}
