/** A worker for tests that a signal ends before it listens for any. */
process.kill(process.pid, 'SIGTERM');
