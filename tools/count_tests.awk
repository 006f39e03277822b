# Counts test cases from meson's testlog.json and testlog.junit.xml (in this order) and prints
# "passed failed skipped". Cases count, not executables. An executable that broke down (crash, time-out,
# plan not fulfilled, bad exit status) without a failing case of its own counts as one failure.

FNR == 1 { file++ }

# One line an executable; quotation marks inside its output are escaped and do not match.
file == 1 {
  if (match($0, /"result": "[A-Z]+"/)) {
    result = substr($0, RSTART + 11, RLENGTH - 12)
    if (result != "OK" && result != "SKIP" && result != "EXPECTEDFAIL") broken++
  }
  next
}

function finish_case() {
  if (!in_case) return
  in_case = 0
  if (bad) {
    failed++
    suite_bad++
  } else if (skip) skipped++
  else passed++
}

# Plain tests share one suite without a dot in its name, each of them an executable.
function finish_suite() {
  finish_case()
  if (suite_bad > 0) explained += plain ? suite_bad : 1
  suite_bad = 0
}

{
  gsub(/></, ">\n<")
  count = split($0, part, "\n")
  for (i = 1; i <= count; i++) {
    if (part[i] ~ /^<testsuite /) {
      finish_suite()
      match(part[i], /name="[^"]*"/)
      plain = substr(part[i], RSTART, RLENGTH) !~ /\./
    }
    if (part[i] ~ /^<testcase[ >\/]/) {
      finish_case()
      in_case = 1
      bad = skip = 0
    }
    if (in_case && part[i] ~ /^<(failure|error)[ >\/]/) bad = 1
    if (in_case && part[i] ~ /^<skipped[ >\/]/) skip = 1
  }
}

END {
  finish_suite()
  if (broken > explained) failed += broken - explained
  print passed + 0, failed + 0, skipped + 0
}
