#include <array>

#include "container_ib/image.hpp"

namespace cib {

namespace {

struct Served {
  std::string_view driver, provider;
};

// The driver is that of the bus device below an HCA (class/infiniband/*/device/driver) or, of devices without
// one, of their module. From rdma-core 65: the drivers of kernel-boot/rdma-hw-modules.rules and
// rdma-description.rules, what each provider matches (VERBS_DRIVER_ID, VERBS_PCI_MATCH) and the name that it
// is loaded by (PROVIDER_DRIVER).
constexpr std::array served = {
    Served{"mlx5_core", "mlx5"},  Served{"mlx5_core.sf", "mlx5"},
    Served{"mlx5_ib", "mlx5"},    Served{"mlx4_core", "mlx4"},
    Served{"mlx4_ib", "mlx4"},    Served{"ib_mthca", "mthca"},
    Served{"hfi1", "hfi1verbs"},  Served{"ib_qib", "ipathverbs"},
    Served{"vhca", "ipathverbs"},  // contrib/testbed/vhca, which says that it is a QIB
    Served{"ice", "irdma"},       Served{"i40e", "irdma"},
    Served{"idpf", "irdma"},      Served{"irdma", "irdma"},
    Served{"bnxt_en", "bnxt_re"}, Served{"bnxt_re", "bnxt_re"},
    Served{"cxgb4", "cxgb4"},     Served{"iw_cxgb4", "cxgb4"},
    Served{"be2net", "ocrdma"},   Served{"ocrdma", "ocrdma"},
    Served{"qede", "qedr"},       Served{"qedr", "qedr"},
    Served{"hns3", "hns"},        Served{"hns", "hns"},
    Served{"hns_roce", "hns"},    Served{"efa", "efa"},
    Served{"mana", "mana"},       Served{"erdma", "erdma"},
    Served{"ionic", "ionic"},     Served{"vmw_pvrdma", "vmw_pvrdma"},
    Served{"rdma_rxe", "rxe"},    Served{"rxe", "rxe"},
    Served{"siw", "siw"},
};

}  // namespace

std::string_view verbs_provider(std::string_view driver) {
  for (const auto& one : served)
    if (one.driver == driver) return one.provider;
  return {};
}

}  // namespace cib
