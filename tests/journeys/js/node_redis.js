// node-redis, in both protocols, against the server whose port is the argument.
const assert = require('node:assert/strict');
const { setTimeout: sleep } = require('node:timers/promises');
const { createClient, createClientPool, defineScript } = require('redis');

const port = Number(process.argv[2]);

const addBoth = defineScript({
  NUMBER_OF_KEYS: 2,
  SCRIPT: 'return redis.call("incrby", KEYS[1], ARGV[1]) + redis.call("incrby", KEYS[2], ARGV[1])',
  parseCommand(parser, one, two, by) {
    parser.pushKey(one);
    parser.pushKey(two);
    parser.push(by.toString());
  },
  transformReply: undefined,
});

const connect = (options) =>
  createClient({ socket: { port, host: '127.0.0.1' }, scripts: { addBoth }, ...options }).connect();

async function basics(redis) {
  await redis.flushAll();
  await Promise.all(Array.from({ length: 500 }, (_, n) => redis.set(`k:${n}`, `${n}`)));
  assert.equal(await redis.get('k:499'), '499');
  assert.deepEqual(await redis.multi().set('a', '1').incr('a').exec(), ['OK', 2]);
  assert.equal(await redis.addBoth('one', 'two', 21), 42);
  await redis.hSet('h', { name: 'ada', born: '1815' });
  assert.deepEqual({ ...(await redis.hGetAll('h')) }, { name: 'ada', born: '1815' });
  await redis.zAdd('z', [{ score: 1.5, value: 'x' }, { score: 2, value: 'y' }]);
  assert.deepEqual(await redis.zRangeWithScores('z', 0, -1), [
    { value: 'x', score: 1.5 },
    { value: 'y', score: 2 },
  ]);
  await redis.set('gone', '1', { expiration: { type: 'PX', value: 20 } });
  await sleep(40);
  assert.equal(await redis.get('gone'), null);
  await assert.rejects(redis.lPush('a', 'x'), /WRONGTYPE/);
  const found = new Set();
  for await (const keys of redis.scanIterator({ MATCH: 'k:*', COUNT: 50 })) {
    for (const key of keys) found.add(key);
  }
  assert.equal(found.size, 500);
}

async function streams(redis) {
  await redis.xGroupCreate('s', 'g', '$', { MKSTREAM: true });
  for (let n = 0; n < 5; n++) await redis.xAdd('s', '*', { n: `${n}` });
  const [{ messages }] = await redis.xReadGroup('g', 'c', { key: 's', id: '>' });
  assert.equal(messages.length, 5);
  assert.equal(await redis.xAck('s', 'g', messages.map(({ id }) => id)), 5);
  assert.equal((await redis.xInfoStream('s')).length, 5);
  assert.equal((await redis.xInfoGroups('s'))[0].pending, 0);
}

async function messages(redis, options) {
  const listener = await connect(options);
  const heard = [];
  await listener.subscribe('news', (message) => heard.push(message));
  await listener.pSubscribe('n*', (message, channel) => heard.push(`${channel}:${message}`));
  await redis.publish('news', 'one');
  while (heard.length < 2) await sleep(5);
  assert.deepEqual(heard.sort(), ['news:one', 'one']);
  await listener.unsubscribe();
  await listener.pUnsubscribe();
  assert.equal(`${await listener.ping()}`, 'PONG');
  listener.destroy();
}

async function watching(options) {
  const one = await connect(options);
  const other = await connect(options);
  await one.watch('w');
  await other.set('w', '1');
  await assert.rejects(one.multi().set('w', '2').exec(), /watched keys has been changed/);
  one.destroy();
  other.destroy();
}

async function tracking(redis) {
  const cached = await connect({
    RESP: 3,
    clientSideCache: { ttl: 0, maxEntries: 100, evictPolicy: 'LRU' },
  });
  await redis.set('t', '1');
  assert.equal(await cached.get('t'), '1');
  const before = (await redis.info('commandstats')).match(/cmdstat_get:calls=(\d+)/)[1];
  for (let n = 0; n < 100; n++) assert.equal(await cached.get('t'), '1');
  const after = (await redis.info('commandstats')).match(/cmdstat_get:calls=(\d+)/)[1];
  assert.equal(after, before, 'answers came from the cache');
  await redis.set('t', '2');
  for (let n = 0; n < 200 && (await cached.get('t')) !== '2'; n++) await sleep(5);
  assert.equal(await cached.get('t'), '2');
  await redis.flushAll();
  for (let n = 0; n < 200 && (await cached.get('t')) !== null; n++) await sleep(5);
  assert.equal(await cached.get('t'), null);
  cached.destroy();
}

async function pool() {
  const clients = await createClientPool({ socket: { port, host: '127.0.0.1' } }).connect();
  await Promise.all(Array.from({ length: 100 }, () => clients.incr('together')));
  assert.equal(await clients.get('together'), '100');
  clients.destroy();
}

(async () => {
  for (const RESP of [2, 3]) {
    const redis = await connect({ RESP });
    await basics(redis);
    await streams(redis);
    await messages(redis, { RESP });
    await watching({ RESP });
    if (RESP === 3) await tracking(redis);
    await pool();
    redis.destroy();
  }
  console.log('all is well');
})();
