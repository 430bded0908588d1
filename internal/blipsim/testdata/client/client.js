// A client of Blip that nobody here wrote, at work on the simulator. It prints what
// it saw, one line of JSON; the Go test that runs it knows what that should be.
'use strict';

const { createRequire } = require('node:module');

const [, , folder, address, authToken] = process.argv;
const { Blip } = createRequire(folder + '/')('@dawntech/blip-tools');

const blip = new Blip({ contract: 'any', authToken });
blip.api.defaults.baseURL = address; // it knows no address but Blip's

// code runs something that should fail and returns the code of Blip's reason.
async function code(f) {
  try {
    await f();
    return 'no failure';
  } catch (e) {
    return e.code;
  }
}

async function run() {
  const saw = {};
  const identity = await blip.whatsapp.getIdentity('5531900000001');
  saw.identity = identity;

  const templates = await blip.whatsapp.getTemplates();
  saw.template = templates.filter((t) => t.name === 'notificacao').map((t) => [t.language, t.status, t.components[0].text]);

  saw.stranger = await code(() => blip.contact.get({ identity }));
  await blip.contact.update({ identity, contactData: { name: 'Maria', extras: { plano: 'ouro' } } });
  await blip.contact.update({ identity, contactData: { city: 'Recife', extras: { leito: '7' } } });
  saw.contact = await blip.contact.get({ identity });

  await blip.interaction.moveUser({ identity, botIdentity: 'sub@msging.net', botFlowId: 'f', botStateId: 's' });
  saw.context = [
    await blip.context.getContextVariable({ identity, variableName: 'master-state' }),
    await blip.context.getContextVariable({ identity, variableName: 'stateid@f' }),
  ];
  await blip.bucket.storeContentInBucket('b', { a: 1 });
  saw.bucket = await blip.bucket.getContentFromBucket('b');
  await blip.bucket.deleteContentFromBucket('b');
  saw.noBucket = await code(() => blip.bucket.getContentFromBucket('b'));

  await blip.dispatch.sendTemplateMessage({
    identity,
    template: {
      name: 'notificacao',
      language: { code: 'pt_BR', policy: 'deterministic' },
      components: [{ type: 'body', parameters: [{ type: 'text', text: 'Maria' }, { type: 'text', text: 'Pronto.' }] }],
    },
  });
  saw.unknownMessage = await blip.dispatch.getCampaignNotificationStatus({ campaignNotificationId: 'nobody' });
  console.log(JSON.stringify(saw));
}

run().catch((e) => {
  console.error(e);
  process.exit(1);
});
