// Adds jobs to the queue "journey": some wait, some are urgent, each may be tried three times.
//
//     node bullmq_producer.js PORT COUNT
const { Queue } = require('bullmq');

const [port, count] = process.argv.slice(2).map(Number);
const AT_ONCE = 250;

(async () => {
  const queue = new Queue('journey', { connection: { host: '127.0.0.1', port } });
  for (let first = 0; first < count; first += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, n) => first + n);
    await queue.addBulk(
      numbers.map((number) => ({
        name: 'double',
        data: { number },
        opts: {
          attempts: 3,
          backoff: { type: 'exponential', delay: 20 },
          ...(number % 5 === 1 && { delay: number % 400 }),
          ...(number % 5 === 2 && { priority: 1 + (number % 7) }),
        },
      })),
    );
  }
  await queue.close();
})();
