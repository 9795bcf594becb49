#ifndef TRAFFICCOPY_BATCH_FILTER_OBJECT_H_
#define TRAFFICCOPY_BATCH_FILTER_OBJECT_H_

#include <napi.h>

#include "batch_filter.h"

namespace trafficcopy {

// BatchFilter as JavaScript sees it: NativeBatchFilter in lib/addon.ts.
class BatchFilterObject : public Napi::ObjectWrap<BatchFilterObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  // (expression)
  explicit BatchFilterObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value Select(const Napi::CallbackInfo& info);

  BatchFilter filter_;
};

}  // namespace trafficcopy

#endif  // TRAFFICCOPY_BATCH_FILTER_OBJECT_H_
