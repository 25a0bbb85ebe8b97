// Building and listing indexes; see rigl.h.
#ifndef TF_RIGL_NATIVE_REINDEX_H_
#define TF_RIGL_NATIVE_REINDEX_H_

#include <cstdint>

#include "rigl.h"

namespace rigl {

// These throw std::bad_alloc.
const char* reindex(const int64_t* positions, const RiglNewIndex& index,
                    int32_t* order);
const char* positions_of(const RiglIndex& index, int64_t* positions,
                         int32_t* order);

}  // namespace rigl

#endif  // TF_RIGL_NATIVE_REINDEX_H_
