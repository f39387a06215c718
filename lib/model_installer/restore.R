# Installs what a renv.lock names into the library of the base image's R, and compares the versions with it.
# Usage: Rscript --vanilla restore.R LOCK NAME=URL... (the repositories of the lock)

words <- commandArgs(trailingOnly = TRUE)
lock <- words[1]
options(repos = setNames(sub("^[^=]*=", "", words[-1]), sub("=.*$", "", words[-1])))

say <- function(...) cat("model-dockerize: renv: ", ..., "\n", sep = "", file = stderr())
fail <- function(...) {
  say(...)
  quit(status = 1)
}
has <- function(name) requireNamespace(name, quietly = TRUE)

if (!has("renv")) install.packages("renv")
if (!has("renv")) fail("it is in neither the base image nor ", paste(getOption("repos"), collapse = " "), ".")

# The packages themselves and not links to a cache, which is not in the image.
Sys.setenv(RENV_CONFIG_CACHE_ENABLED = "FALSE")
library <- .libPaths()[1]
tryCatch(
  renv::restore(project = tempdir(), library = library, lockfile = lock, prompt = FALSE),
  error = function(error) fail(conditionMessage(error))
)

wrong <- character()
for (package in renv::lockfile_read(lock)$Packages) {
  found <- tryCatch(format(packageVersion(package$Package)), error = function(error) "none")
  if (found == "none" || package_version(found) != package_version(package$Version)) {
    wrong <- c(wrong, sprintf("%s %s (there is %s)", package$Package, package$Version, found))
  }
}
if (length(wrong) > 0) fail("not installed as locked: ", paste(wrong, collapse = ", "), ".")
