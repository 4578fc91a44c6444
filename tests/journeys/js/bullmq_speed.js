// How many jobs per second BullMQ adds, and works off, as one line of JSON.
//
//     node bullmq_speed.js PORT COUNT
const { Queue, Worker } = require('bullmq');

const [port, count] = process.argv.slice(2).map(Number);
const connection = { host: '127.0.0.1', port };
const AT_ONCE = 500;

(async () => {
  const queue = new Queue('speed', { connection });
  await queue.waitUntilReady();
  const begun = performance.now();
  for (let first = 0; first < count; first += AT_ONCE) {
    const jobs = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, n) => ({
      name: 'double',
      data: { number: first + n },
    }));
    await queue.addBulk(jobs);
  }
  const added = performance.now();
  let left = count;
  let finish;
  const finished = new Promise((resolve) => (finish = resolve));
  const worker = new Worker('speed', async (job) => job.data.number * 2, {
    connection,
    concurrency: 50,
  });
  worker.on('completed', () => (left -= 1) || finish());
  await finished;
  const worked = performance.now();
  const rate = (from, to) => (count * 1000) / (to - from);
  console.log(
    JSON.stringify({
      added: rate(begun, added),
      worked: rate(added, worked),
      through: rate(begun, worked),
    }),
  );
  process.exit(0);
})();
