# Redo every AUC and every DeLong p-value of this run from predictions.csv and compare them with metrics/.
# In the run folder:  Rscript predictions.R      (R and its package pROC; writes r/auc.csv and r/delong.csv)
# The AUCs are pROC's. A p-value of the tables takes the vertebrae of a patient for one cluster (Obuchowski 1997,
# doi:10.2307/2533958): DeLong's components, summed by patient, judged by Student's t with as many degrees of freedom as
# patients, less one in each fold; with one vertebra a patient it is DeLong's own.
# p_independent is pROC's roc.test, which takes all rows for independent: primary pairs of held-out cohorts.
suppressPackageStartupMessages(library(pROC))
numbers <- c("fold", "auc", "p", "p_adjusted")
read <- function(path) {
  columns <- names(read.csv(path, nrows = 1, check.names = FALSE, encoding = "UTF-8"))
  kinds <- ifelse(columns %in% numbers | (path == "predictions.csv" & grepl("^p_", columns)), "numeric", "character")
  read.csv(path, check.names = FALSE, encoding = "UTF-8", na.strings = "", colClasses = kinds)
}
curve <- function(yes, score) roc(yes, score, levels = c(FALSE, TRUE), direction = "<", quiet = TRUE)
ranks <- function(x) matrix(apply(x, 2, rank), nrow(x))
spread <- function(who) if ((k <- length(unique(who))) > 1) k / (k - 1) else NA

# One sample: the AUC of every column of `score`; each patient's part in its error, of the class and of the others.
sample_parts <- function(score, yes, no, who, everyone) {
  if (!any(yes) || !any(no)) return(NULL)
  x <- score[yes, , drop = FALSE]; y <- score[no, , drop = FALSE]; m <- nrow(x); n <- nrow(y)
  both <- ranks(rbind(x, y)); a <- spread(who[yes]); b <- spread(who[no])
  beaten <- (both[1:m, , drop = FALSE] - ranks(x)) / n
  beating <- 1 - (both[m + 1:n, , drop = FALSE] - ranks(y)) / m
  summed <- function(v, of) outer(everyone, of, "==") %*% sweep(v, 2, colMeans(beaten))
  list(auc = apply(score, 2, function(s) as.numeric(auc(curve(yes[yes | no], s[yes | no])))),
       over = summed(beaten, who[yes]) * sqrt(a) / m, under = summed(beating, who[no]) * sqrt(b) / n,
       shared = (everyone %in% who) * (spread(who[yes | no]) / sqrt(a * b) - 1),
       freedom = length(unique(who[yes | no])) - 1)
}
# The mean over folds: one in a held-out cohort; a fold that lacks the class or all others does not count.
parts <- function(score, yes, no, who, fold) {
  one <- function(f) sample_parts(score[f, , drop = FALSE], yes[f], no[f], who[f], unique(who))
  found <- Filter(length, lapply(unique(fold), function(f) one(fold == f)))
  total <- function(name) Reduce(`+`, lapply(found, `[[`, name))
  if (length(found)) list(auc = total("auc") / length(found), over = total("over") / length(found),
                          under = total("under") / length(found), shared = total("shared"),
                          freedom = total("freedom"))
}
gap_of <- function(of, i, j) within(of, { over <- over[, i, drop = FALSE] - over[, j, drop = FALSE]
                                          under <- under[, i, drop = FALSE] - under[, j, drop = FALSE] })
cross <- function(of) 2 * colSums(of$shared * of$over * of$under)
variance <- function(ofs) {  # of the mean over classes, which share their patients; two classes have one AUC
  whole <- colSums(Reduce(`+`, lapply(ofs, function(of) of$over + of$under))^2)
  whole / length(ofs)^2 + Reduce(`+`, lapply(ofs, cross)) / length(ofs)^(if (length(ofs) == 2) 1 else 2)
}
cohort <- function(rows) {
  models <- split(rows, factor(paste(rows$signature, rows$model), unique(paste(rows$signature, rows$model))))
  name <- do.call(rbind, lapply(models, function(m) m[1, c("protocol", "cohort", "signature", "model")]))
  rownames(name) <- NULL; case <- models[[1]]; who <- case$patient_id; fold <- case$fold; k <- length(classes)
  score <- lapply(classes, function(c) sapply(models, function(m) m[match(case$case_id, m$case_id), paste0("p_", c)]))
  is <- lapply(classes, function(c) case$truth == c)
  of <- lapply(1:k, function(c) parts(score[[c]], is[[c]], !is[[c]], who, fold))
  two <- subset(expand.grid(a = 1:k, b = 1:k), a != b)
  pairs <- Map(function(a, b) parts(score[[a]], is[[a]], is[[b]], who, fold), two$a, two$b)
  pooled <- parts(do.call(rbind, score), unlist(is), !unlist(is), rep(who, k), rep(fold, k))
  area <- function(of) if (length(of)) of$auc else rep(NA, nrow(name))
  each <- do.call(cbind, lapply(of, area))
  value <- cbind(each, rowMeans(each), each %*% sapply(is, mean), area(pooled),
                 rowMeans(do.call(cbind, lapply(pairs, area))))
  kinds <- c(classes, "macro", "weighted", "micro", "hand_till")
  aucs <- data.frame(name[rep(seq_len(nrow(name)), k + 4), ], class = rep(kinds, each = nrow(name)), auc = c(value))
  if (nrow(name) < 2) return(list(auc = aucs))
  ij <- combn(nrow(name), 2); i <- ij[1, ]; j <- ij[2, ]
  gaps <- lapply(of, function(o) if (length(o)) gap_of(o, i, j))
  size <- function(ofs) if (all(lengths(ofs) > 0)) variance(ofs) else NA * i
  error <- sqrt(pmax(cbind(do.call(cbind, lapply(1:k, function(c) size(gaps[c]))), size(gaps)), 0))
  gap <- (value[i, , drop = FALSE] - value[j, , drop = FALSE])[, 1:(k + 1), drop = FALSE]
  ends <- setNames(data.frame(name[i, 3:4], name[j, 3:4]), c("signature_a", "model_a", "signature_b", "model_b"))
  of_class <- sapply(of, function(o) if (length(o) && anyDuplicated(who)) o$freedom else Inf)
  freedom <- matrix(c(of_class, min(of_class)), nrow(gap), k + 1, byrow = TRUE)
  p <- ifelse(gap == 0, 1, ifelse(error == 0, NA, 2 * pt(-abs(gap / error), freedom)))
  list(auc = aucs, p = data.frame(name[i, 1:2], ends, class = rep(kinds[1:(k + 1)], each = length(i)), p = c(p), row.names = NULL))
}
key <- function(t) do.call(paste, c(t[intersect(c("protocol", "cohort", "class", "signature", "model", "signature_a",
                                                  "model_a", "signature_b", "model_b"), names(t))], sep = "\r"))
report <- function(what, here, there) {
  same <- identical(is.na(here), is.na(there)); worst <- max(0, abs(here - there), na.rm = TRUE)
  cat(sprintf("%s: %d, of which %d cannot be had; largest difference %.1e%s\n", what, length(there), sum(is.na(there)),
              worst, if (same && worst < 1e-6) "" else "  NOT REPRODUCED"))
}
predictions <- read("predictions.csv"); classes <- sub("^p_", "", grep("^p_", names(predictions), value = TRUE))
made <- lapply(split(predictions, paste(predictions$protocol, predictions$cohort)), cohort)
aucs <- do.call(rbind, lapply(made, `[[`, "auc")); tests <- do.call(rbind, lapply(made, `[[`, "p"))
both <- function(name) do.call(rbind, lapply(Filter(file.exists, paste0(c("", "published/"), "metrics/", name)), read))
known <- both("auc.csv"); planned <- both("delong.csv")
report("AUCs", aucs$auc[match(key(known), key(aucs))], known$auc)
dir.create("r", FALSE); write.csv(aucs, "r/auc.csv", row.names = FALSE)
if (length(tests)) {
  planned$p_r <- tests$p[match(key(planned), key(tests))]
  report("DeLong p-values", planned$p_r, planned$p)
  counted <- ifelse(length(classes) > 2 | planned$class == "macro", planned$p_r, NA)
  holm <- ave(counted, planned$protocol, planned$cohort, planned$family, FUN = function(p) p.adjust(p, "holm"))
  if (length(classes) == 2) holm <- holm[match(key(transform(planned, class = "macro")), key(planned))]
  report("Holm-adjusted p-values", holm, planned$p_adjusted)
  planned$p_independent <- NA; alone <- c()
  for (row in which(planned$family == "primary" & planned$class %in% classes & !is.na(planned$p))) {
    at <- planned[row, ]
    of <- predictions[predictions$protocol == at$protocol & predictions$cohort == at$cohort, ]
    if (any(of$fold > 0)) next
    pick <- function(end) {
      t <- of[of$signature == at[[paste0("signature_", end)]] & of$model == at[[paste0("model_", end)]], ]
      t <- t[order(t$case_id), ]; curve(t$truth == at$class, t[[paste0("p_", at$class)]])
    }
    planned$p_independent[row] <- roc.test(pick("a"), pick("b"), paired = TRUE, method = "delong")$p.value
    if (!anyDuplicated(unique(of[c("case_id", "patient_id")])$patient_id)) alone <- c(alone, row)
  }
  if (length(alone)) report("pROC's own p-values, one row a patient", planned$p_independent[alone], planned$p[alone])
  write.csv(planned, "r/delong.csv", row.names = FALSE)
}
