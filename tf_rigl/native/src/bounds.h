// Checks of what callers pass, and the type of columns as a template argument.
#ifndef TF_RIGL_NATIVE_BOUNDS_H_
#define TF_RIGL_NATIVE_BOUNDS_H_

#include <cstdint>

#include "kernels.h"
#include "rigl.h"

namespace rigl {

// Return nullptr, or what is wrong. They make sure that nothing is read or
// written out of bounds; `rigl_check_index` checks the rest.
const char* check_forward(const RiglIndex& index);
const char* check_transposed(const RiglIndex& index);
const char* check_permutation(const RiglIndex& index);

// Calls function(cols) with the pointer as what `bytes` says it is.
template <class Function>
auto with_columns(const void* cols, int bytes, const Function& function) {
  return bytes == 2 ? function(static_cast<const uint16_t*>(cols))
                    : function(static_cast<const int32_t*>(cols));
}

template <class Function>
auto with_columns(void* cols, int bytes, const Function& function) {
  return bytes == 2 ? function(static_cast<uint16_t*>(cols))
                    : function(static_cast<int32_t*>(cols));
}

// Calls function(), which returns an error or nullptr, and lets no exception
// out: C has none.
template <class Function>
const char* guarded(const Function& function) noexcept {
  try {
    return function();
  } catch (...) {
    return "out of memory";
  }
}

}  // namespace rigl

#endif  // TF_RIGL_NATIVE_BOUNDS_H_
