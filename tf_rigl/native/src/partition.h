// Parts of the batch and of the rows of a weight, for tiles and threads.
//
// The tiles depend on the batch alone, so that no sum depends on the number of
// threads.
#ifndef TF_RIGL_NATIVE_PARTITION_H_
#define TF_RIGL_NATIVE_PARTITION_H_

#include <cstdint>
#include <vector>

namespace rigl {

// Some of the batch: `rows` of it, padded to a tile of width w.
struct Tile {
  int64_t first;
  int rows;
  int w;
};

// Cuts a batch into tiles: as many of the widest as fit, then narrower ones.
// Widths are powers of two.
std::vector<Tile> tiles_of(int64_t first, int64_t end, int widest,
                           int narrowest);

// Boundaries of at most `parts` ranges of rows with about as many connections
// in each: [0, ..., rows]. None is empty.
std::vector<int> cut_rows(const int32_t* ptr, int rows, int parts);

// Parts for the threads that this much work, in multiply-adds, is worth. Several
// for each thread, because one may be held up by other processes.
int parts_for(int64_t work);

}  // namespace rigl

#endif  // TF_RIGL_NATIVE_PARTITION_H_
