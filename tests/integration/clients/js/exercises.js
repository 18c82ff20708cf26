'use strict';
// What every client does once, with grpc-js; see exercises.py. Arguments are `name=value`.
const fs = require('fs');
const grpc = require('@grpc/grpc-js');

const WAIT_MS_MAX = 20000;
const MESSAGE_BYTES_MAX = 16 << 20;

const asked = Object.fromEntries(process.argv.slice(2).map((each) => {
  const at = each.indexOf('=');
  return [each.slice(0, at), each.slice(at + 1)];
}));

const asIs = (bytes) => bytes;

function method(requestStream, responseStream, name) {
  return {
    path: `/test.Echo/${name}`,
    requestStream,
    responseStream,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
}

const Echo = grpc.makeGenericClientConstructor({
  unary: method(false, false, 'Unary'),
  clientStream: method(true, false, 'ClientStream'),
  serverStream: method(false, true, 'ServerStream'),
  bidi: method(true, true, 'Bidi'),
}, 'test.Echo');

function credentials() {
  if (!asked.ca) return grpc.credentials.createInsecure();
  const read = (path) => (path ? fs.readFileSync(path) : undefined);
  return grpc.credentials.createSsl(read(asked.ca), read(asked.key), read(asked.cert));
}

const client = new Echo(asked.target, credentials(), {
  'grpc.default_authority': 'localhost',
  'grpc.ssl_target_name_override': asked.ca ? 'localhost' : undefined,
  'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
  'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
});

function metadata(exercise) {
  const all = new grpc.Metadata();
  all.set('mm-model-id', asked.model);
  all.set('echo-call', asked.run + exercise);
  if (asked[`plan.${exercise}`]) all.set('echo-plan', asked[`plan.${exercise}`]);
  return all;
}

const soon = (ms = WAIT_MS_MAX) => ({ deadline: Date.now() + ms });
const tell = (what, value) => console.log(`${what}=${value}`);

// A unary call: what came of it, as an object without rejections.
function unary(exercise, message, options = soon()) {
  return new Promise((resolve) => {
    const got = {};
    const call = client.unary(message, metadata(exercise), options, (error, response) => {
      got.error = error;
      got.response = response;
    });
    call.on('metadata', (initial) => { got.initial = initial; });
    call.on('status', (status) => { got.status = status; resolve(got); });
  });
}

// The responses of a stream one by one, and then the number of its status.
function answers(call) {
  const told = [];
  const waiting = [];
  const push = (value) => (waiting.length ? waiting.shift()(value) : told.push(value));
  call.on('data', (message) => push(message.toString()));
  call.on('error', () => {});
  call.on('status', (status) => push(String(status.code)));
  return () => (told.length ? Promise.resolve(told.shift()) : new Promise((resolve) => waiting.push(resolve)));
}

const exercises = {
  async unary() {
    const got = await unary('unary', Buffer.from('hello'));
    tell('unary', got.response);
    tell('unary.initial', got.initial.get('initial')[0]);
    tell('unary.trailing', got.status.metadata.get('trailing-bin')[0].toString('hex'));
  },
  async clientStream() {
    const response = await new Promise((resolve) => {
      const call = client.clientStream(metadata('client_stream'), soon(), (error, message) => resolve(error || message));
      for (const word of ['a', 'b', 'c']) call.write(Buffer.from(word));
      call.end();
    });
    tell('client_stream', response);
  },
  async serverStream() {
    const call = client.serverStream(Buffer.from('x'), metadata('server_stream'), soon());
    const words = [];
    for await (const message of call) words.push(message.toString());
    tell('server_stream', words.join(','));
  },
  async bidi() {
    const call = client.bidi(metadata('bidi'), soon());
    const next = answers(call);
    const words = [];
    for (const word of ['one', 'two', 'three']) {
      call.write(Buffer.from(word));
      words.push(await next());
    }
    call.end();
    words.push(await next());
    tell('bidi', words.join(','));
  },
  async large() {
    const sent = Buffer.from(Uint8Array.from({ length: Number(asked.large) }, (_, i) => i * 7));
    const got = await unary('large', sent);
    tell('large', got.response && sent.equals(got.response) ? 'same' : `other: ${got.error}`);
  },
  async error() {
    const got = await unary('error', Buffer.from('x'));
    const details = got.status.metadata.get('grpc-status-details-bin')[0];
    tell('error', got.status.code);
    tell('error.details', got.status.details);
    tell('error.status', details ? details.toString('hex') : 'none');
  },
  async deadline() {
    tell('deadline', (await unary('deadline', Buffer.from('x'), soon(Number(asked.deadline_ms)))).status.code);
  },
  async cancel() {
    const call = client.bidi(metadata('cancel'), soon());
    const next = answers(call);
    call.write(Buffer.from('one'));
    await next();
    call.cancel();
    tell('cancel', await next());
  },
};

(async () => {
  for (const exercise of Object.values(exercises)) await exercise();
  client.close();
})();
