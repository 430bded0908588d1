@echo off
rem Inicia o Pombo: a API e o job em um só processo, em vez das duas janelas. O
rem job começa quando a API está pronta, sem esperar 20 segundos às cegas. Fica
rem ao lado de pombo.exe (ou em deploy\, com pombo.exe na pasta de cima).
rem Para que rode sempre, sem janela: pombo.exe service install (docs/windows.md).
setlocal
chcp 65001 >nul

cd /d "%~dp0"
if not exist "pombo.exe" cd ..
if not exist "pombo.exe" goto noprogram
if "%~1"=="" if not exist ".env" goto noenv

title Pombo
pombo.exe start %*
set "code=%errorlevel%"
if "%code%"=="0" goto end
echo.
if "%code%"=="78" goto settings
echo O Pombo terminou com erro (código %code%). A causa está nas linhas acima e no
echo arquivo de log (LOG_FILE no .env; sem ele, logs\notificacao.log).
goto wait

:settings
echo O Pombo não começou: há configuração errada (código 78). As linhas acima dizem
echo o que corrigir no .env; o arquivo de log (LOG_FILE no .env; sem ele,
echo logs\notificacao.log) diz o mesmo.
goto wait

rem Sem parênteses em volta dos textos: uma pasta como "Program Files (x86)"
rem fecharia o bloco antes da hora.
:noprogram
set "code=2"
echo Não encontrei pombo.exe em "%~dp0" nem na pasta de cima.
echo Copie pombo.exe para junto de start.bat e tente de novo.
goto wait

:noenv
set "code=78"
echo Não encontrei o arquivo .env em "%cd%".
echo O .env dos scripts antigos serve. Para começar um novo, copie .env.example
echo para .env e preencha KEYBLIP, TEMPLATE_NAME e os dados do banco.
goto wait

:wait
pause

:end
exit /b %code%
