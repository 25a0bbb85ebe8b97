#include "partition.h"

#include <algorithm>

#include "pool.h"

namespace rigl {

std::vector<Tile> tiles_of(int64_t first, int64_t end, int widest,
                           int narrowest) {
  std::vector<Tile> tiles;
  while (first < end) {
    const int64_t left = end - first;
    int w = widest;
    while (w > narrowest && w > left) w /= 2;
    const int rows = int(std::min<int64_t>(left, w));
    tiles.push_back({first, rows, w});
    first += rows;
  }
  return tiles;
}

std::vector<int> cut_rows(const int32_t* ptr, int rows, int parts) {
  std::vector<int> cuts{0};
  for (int part = 1; part < parts; part++) {
    const int64_t connections = int64_t(ptr[rows]) * part / parts;
    const int cut = int(std::lower_bound(ptr, ptr + rows, connections) - ptr);
    if (cut > cuts.back()) cuts.push_back(cut);
  }
  if (rows > cuts.back()) cuts.push_back(rows);
  return cuts;
}

int parts_for(int64_t work) {
  // About ten microseconds, as long as it may take to wake a thread.
  constexpr int64_t kWorthAThread = 300'000;
  const int useful = int(std::min<int64_t>(work / kWorthAThread, threads()));
  return useful <= 1 ? 1 : 4 * useful;
}

}  // namespace rigl
