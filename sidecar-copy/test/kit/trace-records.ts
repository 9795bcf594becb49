import {
  TRACE_A,
  TRACE_ADDRESS,
  TRACE_ADDRESS_BYTES,
  TRACE_AT_MS,
  TRACE_B,
  TRACE_C,
  TRACE_CLIENT_PORT,
  TRACE_EVENT,
  TRACE_FIELDS,
  TRACE_KIND,
  TRACE_ONLINE_PORT,
  type TraceEventName,
} from '@trafficcopy/core';

/** A record as the engine makes it, of the client 10.0.0.9. */
export function traceRecord(name: TraceEventName, clientPort: number, a = 0, b = 0, c = 0): Float64Array {
  const record = new Float64Array(TRACE_FIELDS);
  record[TRACE_AT_MS] = 1000;
  record[TRACE_EVENT] = TRACE_KIND[name];
  record[TRACE_ADDRESS_BYTES] = 4;
  record[TRACE_ADDRESS] = 0x0a000009;
  record[TRACE_CLIENT_PORT] = clientPort;
  record[TRACE_ONLINE_PORT] = 80;
  record[TRACE_A] = a;
  record[TRACE_B] = b;
  record[TRACE_C] = c;
  return record;
}
