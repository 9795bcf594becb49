/**
 * Typed face of the native addon: batches of packets between the kernel and memory that JavaScript owns. Knows no TCP.
 */
export {};
