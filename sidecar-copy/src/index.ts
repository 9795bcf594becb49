export * from './capture/packet-source.js';
export * from './sink/packet-sink.js';
