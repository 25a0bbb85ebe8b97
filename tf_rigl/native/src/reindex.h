// Building and listing indexes; see rigl.h.
#ifndef TF_RIGL_NATIVE_REINDEX_H_
#define TF_RIGL_NATIVE_REINDEX_H_

#include <cstdint>

#include "rigl.h"

namespace rigl {

// Throws std::bad_alloc.
const char* reindex(const int64_t* positions, const RiglNewIndex& index,
                    int32_t* order);
void list_positions(const RiglIndex& index, int64_t* positions);

}  // namespace rigl

#endif  // TF_RIGL_NATIVE_REINDEX_H_
