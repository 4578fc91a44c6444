// ioredis against the server whose port is the argument: what applications do with it, checked.
const assert = require('node:assert/strict');
const { setTimeout: sleep } = require('node:timers/promises');
const { Redis } = require('ioredis');

const port = Number(process.argv[2]);
const connect = (options = {}) => new Redis({ port, host: '127.0.0.1', ...options });

async function pipelines(redis) {
  const pipeline = redis.pipeline();
  for (let n = 0; n < 1000; n++) pipeline.set(`p:${n}`, n).get(`p:${n}`);
  const results = await pipeline.exec();
  assert.equal(results.length, 2000);
  assert.deepEqual(results[1999], [null, '999']);
  const [[error], [none, value]] = await redis.pipeline().incr('text').get('p:1').exec();
  assert.equal(none, null);
  assert.equal(value, '1');
  assert.equal(error, null);
  await redis.set('text', 'abc');
  const [[refusal]] = await redis.pipeline().incr('text').exec();
  assert.match(refusal.message, /not an integer/);
  const many = connect({ enableAutoPipelining: true });
  const found = await Promise.all(Array.from({ length: 500 }, (_, n) => many.get(`p:${n}`)));
  assert.equal(found[499], '499');
  many.disconnect();
}

async function transactions(redis) {
  assert.deepEqual(await redis.multi().set('t', 1).incr('t').exec(), [[null, 'OK'], [null, 2]]);
  const other = connect();
  await redis.watch('t');
  await other.set('t', 5);
  assert.equal(await redis.multi().incr('t').exec(), null);
  other.disconnect();
}

async function scripts(redis) {
  redis.defineCommand('addBoth', {
    numberOfKeys: 2,
    lua: 'return redis.call("incrby", KEYS[1], ARGV[1]) + redis.call("incrby", KEYS[2], ARGV[1])',
  });
  assert.equal(await redis.addBoth('one', 'two', 21), 42);
  await redis.script('FLUSH');
  assert.equal(await redis.addBoth('one', 'two', 1), 44);
  await assert.rejects(redis.eval('return redis.call("nothing")', 0), /Unknown Redis command/);
  await assert.rejects(redis.eval('return redis.error_reply("MINE own")', 0), /MINE own/);
}

async function streams(redis) {
  await redis.xgroup('CREATE', 'stream', 'group', '$', 'MKSTREAM');
  for (let n = 0; n < 10; n++) await redis.xadd('stream', '*', 'n', n);
  const [[, read]] = await redis.xreadgroup(
    'GROUP', 'group', 'worker', 'COUNT', 10, 'STREAMS', 'stream', '>',
  );
  assert.equal(read.length, 10);
  for (const [id] of read.slice(0, 7)) await redis.xack('stream', 'group', id);
  const [pending] = await redis.xpending('stream', 'group');
  assert.equal(pending, 3);
  const [, claimed] = await redis.xautoclaim('stream', 'group', 'another', 0, '0-0');
  assert.equal(claimed.length, 3);
  const reader = connect();
  const waiting = reader.xread('BLOCK', 5000, 'STREAMS', 'later', '$');
  await sleep(50);
  await redis.xadd('later', '*', 'k', 'v');
  assert.deepEqual((await waiting)[0][1][0][1], ['k', 'v']);
  reader.disconnect();
}

async function messages(redis) {
  const listener = connect();
  const heard = [];
  listener.on('message', (channel, message) => heard.push([channel, message]));
  listener.on('pmessage', (pattern, channel, message) => heard.push([pattern, channel, message]));
  await listener.subscribe('news');
  await listener.psubscribe('w*');
  assert.equal(await redis.publish('news', 'one'), 1);
  assert.equal(await redis.publish('weather', 'two'), 1);
  while (heard.length < 2) await sleep(5);
  assert.deepEqual(heard, [['news', 'one'], ['w*', 'weather', 'two']]);
  listener.disconnect();
}

async function waiting(redis) {
  const consumer = connect();
  const pop = consumer.blpop('queue', 0);
  await sleep(50);
  await redis.rpush('queue', 'job');
  assert.deepEqual(await pop, ['queue', 'job']);
  const bytes = Buffer.from([0, 255, 13, 10, 128]);
  await redis.set('binary', bytes);
  assert.deepEqual(await redis.getBuffer('binary'), bytes);
  const names = [];
  for await (const keys of redis.scanStream({ match: 'p:*', count: 100 })) names.push(...keys);
  assert.equal(new Set(names).size, 1000);
  consumer.disconnect();
}

async function reconnecting() {
  const redis = connect({ connectionName: 'fragile' });
  await redis.set('before', 1);
  const admin = connect();
  const id = await redis.client('ID');
  await admin.client('KILL', 'ID', id);
  assert.equal(await redis.get('before'), '1');
  assert.notEqual(await redis.client('ID'), id);
  redis.disconnect();
  admin.disconnect();
}

(async () => {
  const redis = connect();
  await redis.flushall();
  for (const story of [pipelines, transactions, scripts, streams, messages, waiting]) {
    await story(redis);
  }
  await reconnecting();
  redis.disconnect();
  console.log('all is well');
})();
