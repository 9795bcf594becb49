#ifndef TRAFFICCOPY_RULESET_GENERATION_H_
#define TRAFFICCOPY_RULESET_GENERATION_H_

#include <cstdint>
#include <optional>

namespace trafficcopy {

// The number of what nf_tables holds in the thread's network namespace: each change, whoever makes it, makes it another
// one. Nothing where the kernel does not say, for want of nf_tables or of CAP_NET_ADMIN. Does not block.
std::optional<uint32_t> RulesetGeneration();

}  // namespace trafficcopy

#endif  // TRAFFICCOPY_RULESET_GENERATION_H_
