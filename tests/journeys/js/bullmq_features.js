// What BullMQ promises of a queue, one promise after the other; the argument is the port.
const assert = require('node:assert/strict');
const { setTimeout: sleep } = require('node:timers/promises');
const { FlowProducer, Queue, QueueEvents, UnrecoverableError, Worker } = require('bullmq');

const connection = { host: '127.0.0.1', port: Number(process.argv[2]) };

// Runs `work` on a queue of this name; `story(queue, events)` tells what happens.
async function withQueue(name, work, options, story) {
  const queue = new Queue(name, { connection });
  const events = new QueueEvents(name, { connection });
  await events.waitUntilReady();
  const worker = new Worker(name, work, { connection, autorun: false, ...options });
  await worker.waitUntilReady();
  const run = () => void worker.run();
  try {
    await story(queue, events, run, worker);
  } finally {
    await worker.close();
    await events.close();
    await queue.close();
  }
}

async function priorities() {
  const done = [];
  const work = async (job) => void done.push(job.name);
  await withQueue('priorities', work, { concurrency: 1 }, async (queue, events, run) => {
    const jobs = [];
    for (const priority of [5, 1, 3, 1, 2]) {
      jobs.push(await queue.add(`p${priority}`, {}, { priority }));
    }
    jobs.push(await queue.add('plain', {}));
    jobs.push(await queue.add('last', {}), await queue.add('first', {}, { lifo: true }));
    run();
    await Promise.all(jobs.map((job) => job.waitUntilFinished(events)));
    assert.deepEqual(done, ['first', 'plain', 'last', 'p1', 'p1', 'p2', 'p3', 'p5']);
  });
}

async function delays() {
  const begun = Date.now();
  const work = async () => Date.now() - begun;
  await withQueue('delays', work, {}, async (queue, events, run) => {
    run();
    const late = await queue.add('late', {}, { delay: 300 });
    const soon = await queue.add('soon', {}, { delay: 50 });
    assert.equal(await queue.getDelayedCount(), 2);
    const [first, second] = [await soon.waitUntilFinished(events), await late.waitUntilFinished(events)];
    assert.ok(first >= 50 && second >= 300 && first < second, `${first}, ${second}`);
  });
}

async function retries() {
  const tried = [];
  const work = async (job) => {
    tried.push(job.name);
    if (job.name === 'hopeless') throw new UnrecoverableError('never');
    if (job.attemptsMade < 2) throw new Error('again');
    return 'at last';
  };
  await withQueue('retries', work, {}, async (queue, events, run) => {
    run();
    const opts = { attempts: 3, backoff: 10 };
    const good = await queue.add('stubborn', {}, opts);
    assert.equal(await good.waitUntilFinished(events), 'at last');
    const bad = await queue.add('hopeless', {}, opts);
    await assert.rejects(bad.waitUntilFinished(events), /never/);
    assert.deepEqual(tried, ['stubborn', 'stubborn', 'stubborn', 'hopeless']);
    assert.equal(await queue.getFailedCount(), 1);
  });
}

async function flows() {
  const work = async (job) => {
    if (job.name !== 'parent') return job.data.n;
    const values = Object.values(await job.getChildrenValues());
    return values.reduce((sum, n) => sum + n, 0);
  };
  await withQueue('flows', work, {}, async (queue, events, run) => {
    run();
    const flow = new FlowProducer({ connection });
    const children = [1, 2, 3].map((n) => ({ name: 'child', queueName: 'flows', data: { n } }));
    const tree = await flow.add({ name: 'parent', queueName: 'flows', children });
    assert.equal(await tree.job.waitUntilFinished(events), 6);
    await flow.close();
  });
}

async function schedulers() {
  let runs = 0;
  const work = async () => void (runs += 1);
  await withQueue('schedulers', work, {}, async (queue, events, run) => {
    run();
    await queue.upsertJobScheduler('often', { every: 50 }, { name: 'tick' });
    while (runs < 4) await sleep(10);
    assert.equal((await queue.getJobSchedulers()).length, 1);
    assert.ok(await queue.removeJobScheduler('often'));
  });
}

async function limits() {
  const work = async () => Date.now();
  const limiter = { max: 3, duration: 200 };
  await withQueue('limits', work, { limiter }, async (queue, events, run) => {
    run();
    const jobs = await queue.addBulk(Array.from({ length: 9 }, () => ({ name: 'n', data: {} })));
    const times = await Promise.all(jobs.map((job) => job.waitUntilFinished(events)));
    assert.ok(Math.max(...times) - Math.min(...times) >= 350);
  });
}

async function pauses() {
  let runs = 0;
  const work = async (job) => {
    await job.updateProgress(50);
    await job.log('half way');
    runs += 1;
  };
  await withQueue('pauses', work, {}, async (queue, events, run) => {
    run();
    await queue.pause();
    const job = await queue.add('n', {}, { jobId: 'mine', deduplication: { id: 'once' } });
    const same = await queue.add('n', {}, { deduplication: { id: 'once' } });
    assert.equal(same.id, 'mine');
    await sleep(50);
    assert.equal(runs, 0);
    await queue.resume();
    await job.waitUntilFinished(events);
    assert.equal((await queue.getJobLogs('mine')).logs[0], 'half way');
    assert.equal((await queue.getJob('mine')).progress, 50);
    const counts = await queue.getJobCounts();
    assert.equal(counts.completed, 1);
    await queue.obliterate({ force: true });
    assert.equal(await queue.getCompletedCount(), 0);
  });
}

(async () => {
  for (const story of [priorities, delays, retries, flows, schedulers, limits, pauses]) {
    await story();
  }
  console.log('all is well');
  process.exit(0);
})();
