namespace cib {}
