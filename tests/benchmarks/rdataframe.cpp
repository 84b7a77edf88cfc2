// The job of end_to_end.py in ROOT's RDataFrame, compiled before the timing: the clusters of every event by the plain
// loop, the same columns, the four default histograms, and a Snapshot in zstd.

#include <ROOT/RDataFrame.hxx>
#include <ROOT/RVec.hxx>
#include <TH1D.h>
#include <TH2D.h>
#include <TROOT.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#define CELL float
#define NUMBER double
#define ROWS 24
#define COLS 16
#define REACH 1
#define PERIODIC_COLS 1
#define LOSES_TIE other < here
#include "loops.cpp"

using ROOT::RVecD;
using ROOT::RVecF;
using ROOT::RVecI;

struct Clusters {
    RVecD sum, seed, pt, eta, phi;
    RVecI row, col, n_cells;
};

// The clusters of an event, the largest sum first.
Clusters clusters_of(const RVecF &cells)
{
    constexpr int most = ROWS * COLS / 4;
    std::int64_t row[most], col[most], n_cells[most];
    double seed[most], sum[most];
    const auto n = find_in_event(cells.data(), std::nextafter(1.0, 2.0), row, col, seed, sum, n_cells);
    std::vector<int> order(n);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return sum[a] > sum[b]; });
    Clusters found;
    for (const int k : order) {
        const double eta = -3 + 0.25 * (row[k] + 0.5), phi = -M_PI + M_PI / 8 * (col[k] + 0.5);
        found.sum.push_back(sum[k]);
        found.seed.push_back(seed[k]);
        found.row.push_back(row[k]);
        found.col.push_back(col[k]);
        found.n_cells.push_back(n_cells[k]);
        found.pt.push_back(sum[k] / std::cosh(eta));
        found.eta.push_back(eta);
        found.phi.push_back(phi);
    }
    return found;
}

// Run the job on so many threads (1: without ROOT's pool), the Snapshot compressed with zstd at a level, and return the
// number of clusters in the histograms.
double peaksum_job(const std::vector<std::string> &files, const std::string &output, unsigned n_threads, int zstd_level)
{
    n_threads > 1 ? ROOT::EnableImplicitMT(n_threads) : ROOT::DisableImplicitMT();
    ROOT::RDataFrame events("Events", files);
    auto found = events.Define("clusters", clusters_of, {"calo_e"})
                     .Define("nCluster", [](const Clusters &c) { return int(c.sum.size()); }, {"clusters"})
                     .Define("Cluster_peak_sum", [](const Clusters &c) { return c.sum; }, {"clusters"})
                     .Define("Cluster_seed", [](const Clusters &c) { return c.seed; }, {"clusters"})
                     .Define("Cluster_row", [](const Clusters &c) { return c.row; }, {"clusters"})
                     .Define("Cluster_col", [](const Clusters &c) { return c.col; }, {"clusters"})
                     .Define("Cluster_n_cells", [](const Clusters &c) { return c.n_cells; }, {"clusters"})
                     .Define("Cluster_pt", [](const Clusters &c) { return c.pt; }, {"clusters"})
                     .Define("Cluster_eta", [](const Clusters &c) { return c.eta; }, {"clusters"})
                     .Define("Cluster_phi", [](const Clusters &c) { return c.phi; }, {"clusters"})
                     .Define("Cluster_energy", [](const Clusters &c) { return c.sum; }, {"clusters"});
    double edges[121];
    for (int k = 0; k <= 120; ++k)
        edges[k] = std::pow(10., -2 + k * 0.05);
    auto number = found.Histo1D<int>({"nCluster", "", 50, -0.5, 49.5}, "nCluster");
    auto pt = found.Histo1D<RVecD>({"Cluster_pt", "", 120, edges}, "Cluster_pt");
    auto energy = found.Histo1D<RVecD>({"Cluster_energy", "", 120, edges}, "Cluster_energy");
    auto position = found.Histo2D<RVecD, RVecD>({"Cluster_position", "", 24, -3, 3, 16, -M_PI, M_PI}, "Cluster_eta",
                                                "Cluster_phi");
    ROOT::RDF::RSnapshotOptions options;
    options.fLazy = true;
    options.fCompressionAlgorithm = ROOT::RCompressionSetting::EAlgorithm::kZSTD;
    options.fCompressionLevel = zstd_level;
    const std::vector<std::string> columns{
        "run",         "luminosityBlock",  "event",        "nCluster",    "Cluster_peak_sum", "Cluster_seed",
        "Cluster_row", "Cluster_col",      "Cluster_n_cells", "Cluster_pt", "Cluster_eta",      "Cluster_phi",
        "Cluster_energy"};
    auto snapshot = found.Snapshot("Events", output, columns, options);
    *snapshot;
    return position->GetEntries();
}
