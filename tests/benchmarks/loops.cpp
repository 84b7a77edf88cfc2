// The plain loop: every cell, its neighbours until one is higher, and the sum around a seed.
//
// Compiled by compiled.py, and included by rdataframe.cpp, with CELL, NUMBER (the type of comparisons and sums), ROWS,
// COLS, REACH, PERIODIC_COLS and LOSES_TIE, an expression of d, p (the offset), other and here (the places of both cells).

#include <cstdint>

extern "C" std::int64_t find_in_event(const CELL *grid, NUMBER bound, std::int64_t *row, std::int64_t *col, NUMBER *seed,
                                      NUMBER *sum, std::int64_t *n_cells)
{
    std::int64_t found = 0;
    for (int r = 0; r < ROWS; ++r) {
        for (int c = 0; c < COLS; ++c) {
            const int here = r * COLS + c;
            const NUMBER cell = grid[here];
            if (cell < bound)
                continue;
            bool wins = true;
            for (int d = -REACH; wins && d <= REACH; ++d) {
                if (r + d < 0 || r + d >= ROWS)
                    continue;
                for (int p = -REACH; p <= REACH; ++p) {
                    int j = c + p;
                    if (j < 0 || j >= COLS) {
                        if (!PERIODIC_COLS)
                            continue;
                        j += j < 0 ? COLS : -COLS;
                    }
                    const int other = (r + d) * COLS + j;
                    if (other == here)
                        continue;
                    const NUMBER value = grid[other];
                    if (value > cell || (value == cell && (LOSES_TIE))) {
                        wins = false;
                        break;
                    }
                }
            }
            if (!wins)
                continue;
            NUMBER total = 0;
            std::int64_t count = 0;
            for (int d = -REACH; d <= REACH; ++d) {
                if (r + d < 0 || r + d >= ROWS)
                    continue;
                for (int p = -REACH; p <= REACH; ++p) {
                    int j = c + p;
                    if (j < 0 || j >= COLS) {
                        if (!PERIODIC_COLS)
                            continue;
                        j += j < 0 ? COLS : -COLS;
                    }
                    total += grid[(r + d) * COLS + j];
                    ++count;
                }
            }
            row[found] = r;
            col[found] = c;
            seed[found] = cell;
            sum[found] = total;
            n_cells[found] = count;
            ++found;
        }
    }
    return found;
}

extern "C" std::int64_t find(const CELL *grids, std::int64_t n_events, NUMBER bound, std::int64_t *event,
                             std::int64_t *row, std::int64_t *col, NUMBER *seed, NUMBER *sum, std::int64_t *n_cells)
{
    std::int64_t found = 0;
    for (std::int64_t e = 0; e < n_events; ++e) {
        const std::int64_t more = find_in_event(grids + e * ROWS * COLS, bound, row + found, col + found, seed + found,
                                                sum + found, n_cells + found);
        for (std::int64_t k = 0; k < more; ++k)
            event[found + k] = e;
        found += more;
    }
    return found;
}
