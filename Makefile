PARAMS ?= params.yml
PY = .venv/bin/python
AXE = build/axe/package/axe.min.js
CLUSTER = $(if $(PROFILE),--profile "$(PROFILE)") $(if $(BATCH),--batch $(BATCH))

.PHONY: report plan compare sessions test lint small nbval refresh faults axe bench notebook unit stimuli archive pdf clean help FORCE

report: .venv/ready       ## the whole report of PARAMS, to build/<name>/site/index.html; PROFILE=slurm BATCH=25
	@$(PY) -m workflow.report "$(PARAMS)" $(CLUSTER)

plan: .venv/ready         ## what `make report` would do, without doing it
	@$(PY) -m workflow.report "$(PARAMS)" $(CLUSTER) --plan

compare: .venv/ready      ## a page that sets two finished runs side by side: A=build/one B=build/other
	@$(PY) -m workflow.compare_runs "$(A)" "$(B)"

sessions: .venv/ready     ## the Allen Institute's sessions that `source: allen` can take; CACHE=folder BUCKET=address
	@$(PY) -m lib.data.sources.allen $(if $(CACHE),--cache "$(CACHE)") $(if $(BUCKET),--bucket "$(BUCKET)") \
	    $(if $(WAREHOUSE),--warehouse $(WAREHOUSE))

test: lint nbval axe      ## rules, the small run, the notebooks, its numbers, every way to execute one, unit tests, the site
	@$(PY) -m tests.baselines
	@$(PY) -m pytest tests/notebooks/test_ways.py -q
	@$(PY) -m pytest --doctest-modules lib tests/unit tests/book/test_checks.py -q -n 2
	@AXE=$(AXE) SITE=build/small/site $(PY) -m pytest tests/book/test_site.py tests/book/test_browser.py -q -n 2

lint: .venv/ready         ## rules and format of the code, and of the code in notebooks
	@.venv/bin/ruff check . && .venv/bin/ruff format --check .

small: .venv/ready        ## the run that the tests make: every notebook through the pipeline, the book
	@$(PY) -m workflow.report tests/small.yml

nbval: small              ## execute the notebooks again and compare with their stored outputs
	@OMP_NUM_THREADS=1 PYTHONHASHSEED=0 $(PY) -m pytest --nbval -p tests.notebooks.tolerance -q -n 2 --dist loadfile notebooks

refresh: small            ## store the small run's outputs in the notebooks and its numbers as baselines
	@$(PY) -m tests.notebooks.refresh
	@git diff --stat -- notebooks
	@$(PY) -m tests.baselines --store

notebook: .venv/ready     ## execute one notebook of a run: NB=05_mei UNIT=id
	@$(PY) -m workflow.report "$(PARAMS)" --notebook $(NB) $(if $(UNIT),--unit $(UNIT))

unit: .venv/ready         ## every stage of one unit: UNIT=id
	@$(PY) -m workflow.report "$(PARAMS)" --unit $(UNIT)

stimuli: .venv/ready      ## what the next experiment shows: pictures, tables, a script, to build/<name>/stimuli/
	@$(PY) -m workflow.report "$(PARAMS)" --stimuli

archive: .venv/ready      ## one zip of the run for a journal or a repository: site, tables, stimuli, RO-Crate metadata
	@$(PY) -m workflow.report "$(PARAMS)" --archive

pdf: .venv/ready          ## the book as a PDF, or UNIT=id one unit's report; CHROME=program that prints
	@$(PY) -m workflow.report "$(PARAMS)" --pdf $(if $(UNIT),--unit $(UNIT))

faults: .venv/ready       ## put deliberate faults into copies of lib: do the tests see them? MODULES="lib/mei/search ..."
	@$(PY) -m tests.mutations $(MODULES)

bench: .venv/ready        ## benchmark tables; REAL=folder adds recorded data
	@for b in benchmarks/bench_*.py; do $(PY) $$b $(if $(REAL),--real "$(REAL)"); done

axe:                      ## axe-core, by which the site's accessibility is tested: where npm is there, once
	@mkdir -p build/axe && cd build/axe && if [ ! -f package/axe.min.js ] && command -v npm > /dev/null; then \
	  npm pack --silent axe-core@4.10.3 > /dev/null && tar -xzf axe-core-4.10.3.tgz \
	  || echo "axe-core did not come: the tests of accessibility are skipped"; fi

help:                     ## this list
	@grep -h '##' Makefile | grep -v grep | sed 's/: *[^#]*## /\n        /'

clean:                    ## everything that was made, but the packages
	rm -rf build

.venv/ready: FORCE        ## the packages, if they are not there as the locks say: PYTHON, TORCH_INDEX
	@sh workflow/install.sh
