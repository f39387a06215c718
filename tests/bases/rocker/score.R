paths <- commandArgs(trailingOnly = TRUE)
writeLines(toupper(readLines(paths[1])), paths[2])
