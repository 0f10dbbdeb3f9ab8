frama-c -wp -wp-rte -wp-no-print -wp-prover z3,cvc4 -wp-timeout ${T:-20} -wp-par 2 -cpp-extra-args="-I. -I../.. -include timers/u128.h" "$@" 2>&1 | grep -v "Valid\|annotating\|\[kernel\] Parsing"
