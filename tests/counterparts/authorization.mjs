// oidc-provider as a SMART authorization server: what it lacks is the launch context in the token response.
import { randomUUID } from 'node:crypto';
import { json } from 'node:stream/consumers';

import { Provider } from 'oidc-provider';

// `keys` are private JWKs, `clients` our app's registrations, `fhirUser` the clinician at work,
// `patient` whom she picks.
export function authorizationServer(url, { keys, clients, scopes, fhirUser, patient }) {
  const launches = new Map(); // ticket -> launch context
  const contexts = new Map(); // grant -> what its token response says besides
  const refused = []; // why, for a test that failed
  const provider = new Provider(url, {
    clients,
    jwks: { keys },
    scopes: ['openid', 'fhirUser', 'launch', 'launch/patient', 'online_access', ...scopes],
    issueRefreshToken: (_ctx, _client, code) => code.scopes.has('online_access'), // SMART's word; it knows OpenID's only
    claims: { openid: ['sub'], fhirUser: ['fhirUser'] },
    conformIdTokenClaims: false, // SMART wants fhirUser in the id_token
    extraParams: ['aud', 'launch'],
    features: { devInteractions: { enabled: false }, revocation: { enabled: true } },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, fhirUser: new URL(id, `${url}/fhir/`).href }) }),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    clientAuthMethods: ['none', 'private_key_jwt', 'client_secret_basic'],
    enabledJWA: { clientAuthSigningAlgValues: ['RS384', 'ES384'], idTokenSigningAlgValues: ['RS256'] },
    // Our keys are on the loopback, where its own guard would not let it look.
    fetch: (address, { dispatcher: _, ...options }) => fetch(address, options),
    cookies: { keys: [randomUUID()] },
    ttl: { AccessToken: 900, AuthorizationCode: 60, IdToken: 900, Grant: 900, Interaction: 300, Session: 900 },
  });
  provider.on('authorization.error', (_, error) => refused.push(String(error)));
  provider.on('grant.error', (_, error) => refused.push(String(error)));

  // oidc-provider's README, "Pre- and post-middlewares": the way to add to a response.
  provider.use(async (ctx, next) => {
    await next();
    if (ctx.oidc?.route === 'token' && ctx.status === 200 && ctx.oidc.entities.Grant) {
      ctx.body = { ...ctx.body, ...contexts.get(ctx.oidc.entities.Grant.jti) };
    }
  });

  // The clinician is at work already: she is logged in, and the hospital has agreed to what the app may do.
  async function agree(request, response) {
    const { params } = await provider.interactionDetails(request, response);
    const launch = params.launch ? launches.get(params.launch) : picked(params.scope);
    if (!launch || params.aud !== `${url}/fhir`) {
      const refusal = { error: 'access_denied', error_description: 'launch or aud is unknown' };
      await provider.interactionFinished(request, response, refusal, { mergeWithLastSubmission: false });
      return;
    }
    const { user = fhirUser, ...intoToken } = launch;
    const grantId = await grant(params.client_id, user, params.scope, intoToken);
    await provider.interactionFinished(request, response, { login: { accountId: user }, consent: { grantId } });
  }

  // A standalone launch: the clinician picks the patient here.
  function picked(scope) {
    return scope.split(' ').includes('launch/patient') ? { patient } : undefined;
  }

  async function grant(clientId, accountId, scope, intoToken) {
    const made = new provider.Grant({ accountId, clientId });
    made.addOIDCScope(scope);
    const id = await made.save();
    contexts.set(id, intoToken);
    return id;
  }

  // What the EHR's own programs ask for, and an app never sees: a ticket for a launch, a token for a hook.
  async function openChart(request, response) {
    const ticket = randomUUID();
    launches.set(ticket, await json(request));
    said(response, { launch: ticket });
  }

  async function hookToken(request, response) {
    const { scope } = await json(request);
    const client = await provider.Client.find(clients[0].client_id);
    const grantId = await grant(client.clientId, fhirUser, scope, {});
    const token = new provider.AccessToken({ accountId: fhirUser, client, grantId, scope, gty: 'hook' });
    said(response, { access_token: await token.save() });
  }

  const configuration = {
    issuer: url,
    jwks_uri: `${url}/jwks`,
    authorization_endpoint: `${url}/auth`,
    token_endpoint: `${url}/token`,
    revocation_endpoint: `${url}/token/revocation`,
    grant_types_supported: ['authorization_code', 'refresh_token'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['private_key_jwt', 'client_secret_basic'],
    token_endpoint_auth_signing_alg_values_supported: ['RS384', 'ES384'],
    capabilities: [
      'launch-ehr', 'launch-standalone', 'context-standalone-patient', 'client-public', 'client-confidential-asymmetric', 'sso-openid-connect',
      'context-ehr-patient', 'permission-online', 'permission-patient', 'permission-v2',
    ],
  };
  const doors = [
    [/^\/interaction\/[^/]+$/, agree],
    [/^\/ehr\/launches$/, openChart],
    [/^\/ehr\/hook-tokens$/, hookToken],
    [/^\/ehr\/refused$/, (_, response) => said(response, refused)],
    [/^\/fhir\/\.well-known\/smart-configuration$/, (_, response) => said(response, configuration)],
  ];
  return { provider, doors };
}

function said(response, body) {
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
}
