// Verifies requests as a company's system in Node would, with the library of Standard Webhooks.
// Usage: node verify.js FOLDER-OF-THE-LIBRARY. The standard input has a JSON array of
// {secret, headers, body}; the standard output gets, for each, the type of the event
// or "refused: " and why.
'use strict';
const { createRequire } = require('module');
const { readFileSync } = require('fs');

const [folder] = process.argv.slice(2);
const { Webhook } = createRequire(folder + '/')('standardwebhooks');

const seen = JSON.parse(readFileSync(0, 'utf8')).map(({ secret, headers, body }) => {
  try {
    return new Webhook(secret).verify(body, headers).type;
  } catch (e) {
    return 'refused: ' + e.message;
  }
});
process.stdout.write(JSON.stringify(seen));
