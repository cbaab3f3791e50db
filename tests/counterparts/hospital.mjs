// A hospital made of parts that nobody here wrote: oidc-provider logs in, Medplum's router keeps the chart.
// Reads what it needs to know from its standard input, as JSON; prints its address when it answers.
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';

import { authorizationServer } from './authorization.mjs';
import { chart } from './chart.mjs';

const told = JSON.parse(await text(process.stdin));
const server = createServer();
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const url = `http://127.0.0.1:${server.address().port}`;
const { provider, doors } = authorizationServer(url, told);
const answer = await chart(told.resources, (token) => provider.AccessToken.find(token));
const login = provider.callback();

server.on('request', async (request, response) => {
  const path = new URL(request.url, url).pathname;
  const door = doors.find(([pattern]) => pattern.test(path));
  if (door) {
    await door[1](request, response);
  } else if (path.startsWith('/fhir')) {
    await answer(request, response);
  } else {
    login(request, response);
  }
});
console.log(JSON.stringify({ url }));
