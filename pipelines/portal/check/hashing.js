// Hashes a file in a Worker, which can be stopped at any time.

/** Largest file that is hashed. */
export const MAX_FILE = 2 ** 30;

/**
 * Begin to hash a file; returns `{digest, cancel}`.
 *
 * `digest` is a promise of 64 hexadecimal digits; it fails with an Error, and with a DOMException
 * called AbortError once `cancel()` was called. `told` is called with the bytes that are done.
 */
export function hashing(file, workerUrl, told) {
  const worker = new Worker(workerUrl);
  let cancel = () => {};
  const digest = new Promise((resolve, reject) => {
    cancel = () => reject(new DOMException("cancelled", "AbortError"));
    worker.onerror = (event) => reject(new Error(event.message || "the worker did not start"));
    worker.onmessage = ({ data }) => {
      if (data.done !== undefined) told(data.done);
      else if (data.sha256) resolve(data.sha256);
      else reject(new Error(data.error));
    };
    worker.postMessage(file);
  }).finally(() => worker.terminate());
  return { digest, cancel: () => cancel() };
}
