// A worker of the queue "journey". It fails one job in ten at first, and says "ready" when it works.
//
//     node bullmq_worker.js PORT NAME
const { Redis } = require('ioredis');
const { Worker } = require('bullmq');

const [port, name] = [Number(process.argv[2]), process.argv[3]];
const connection = { host: '127.0.0.1', port };
const redis = new Redis({ ...connection });

const worker = new Worker(
  'journey',
  async (job) => {
    await redis.hincrby('journey:runs', job.data.number, 1);
    if (job.data.number % 10 === 3 && job.attemptsMade === 0) throw new Error('not yet');
    return job.data.number * 2;
  },
  {
    connection,
    name,
    concurrency: 40,
    lockDuration: 1500,
    stalledInterval: 500,
    maxStalledCount: 20,
  },
);
worker.on('error', (error) => console.error(error.message));
worker.waitUntilReady().then(() => console.log('ready'));
